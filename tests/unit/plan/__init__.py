"""The planner, module by module."""
