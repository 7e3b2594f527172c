"""Episodes for people in a terminal: ribbon, tables, legend. Where they come from is not known."""
