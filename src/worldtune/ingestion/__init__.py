"""From files that users have to a checked, split table: what every domain's ingestion shares."""
