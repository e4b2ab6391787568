"""Plans as checked data and the evaluator's SQL: pure functions, no Django."""
