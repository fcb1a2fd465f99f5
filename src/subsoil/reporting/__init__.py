"""What people see: figures, tables and one page, drawn from the written results alone."""
