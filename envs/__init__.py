"""MuJoCo arms, the plant, what perturbs it, and Gymnasium environments, registered when this is imported."""

from spikearm.envs.gym.registration import register_environments

register_environments()
