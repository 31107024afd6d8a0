"""The process in which one foreign game runs: standard library only, no import of this package.

Started as ``python -m child`` with the folder above on its path (hence the relative imports), it
fences itself in and starts a second time, so that what built the fence is gone when the game runs.

A seat belt, not a jail. It keeps out accidents and plain misbehaviour:

- by the kernel, also against hostile code: address space, processor time, size of files, number of
  open files, further processes (not for root), and the network where the kernel lets a user make a
  namespace of its own; the parent ends it after its time;
- by audit hooks of the interpreter (``guard``): sockets, processes, writing any file, reading any
  but the standard library's, ctypes;
- by what it is given: an environment without the user's variables, an empty folder, no input.

Code that is out to do harm can get around the hooks, for they live in the same interpreter, and can
then read and write what the user can. Games that nobody has looked at belong in a container or a
virtual machine.
"""
