"""A domain as the engine sees it: rows to token ids, token ids to scores."""
