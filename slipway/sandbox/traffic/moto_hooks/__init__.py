"""What moto's backends lack, added to their classes while the sandbox runs."""
