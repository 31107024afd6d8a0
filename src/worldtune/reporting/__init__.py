"""Self-contained HTML reports and Markdown tables made from plain data; blind to domains."""
