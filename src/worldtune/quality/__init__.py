"""Hard contracts at the borders of the catalog, and the report that shows what ingestion did."""
