"""Widgets for notebooks: explorer, inspector, geometry, live dynamics, the monitor of a fit."""
