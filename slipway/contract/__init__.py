"""Documents that the program and delivery share. Pure: pydantic and dates only."""
