"""Text games: predict how a world of objects changes after an action (paper, section 4.1)."""
