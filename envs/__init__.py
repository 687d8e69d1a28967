"""MuJoCo arms, the plant, what perturbs it, and the tasks."""
