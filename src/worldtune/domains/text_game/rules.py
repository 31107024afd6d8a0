"""Rules of games as people wrote them for GPT-simulator: blocks of text, one for each class.

A model is shown them as the reference shows them, so that prompts stay comparable: of the object
rules the last block is left out, which usually describes the world or the agent.
"""

BLOCK_END = "=========="


def shorten(object_rules: str) -> str:
    """Object rules without their last block; "" where there is only one."""
    return "".join(object_rules.split(BLOCK_END)[:-1]).strip()
