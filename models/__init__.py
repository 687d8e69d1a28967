"""What is computed: neural networks as frozen descriptions that any backend can compile."""
