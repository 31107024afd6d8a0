"""Web pages: predict how an accessibility tree changes after an action (paper, section 4.2)."""
