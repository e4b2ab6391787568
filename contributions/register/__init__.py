"""Pages of the register's life: what may be done with a person, a household, a place, and what waits for somebody."""
