"""The offline stage: recipes, optimisation, rendering and reports."""
