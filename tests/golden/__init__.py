"""Whole plans as text: bundles x facts profiles, compared with spec-fixtures/plans."""
