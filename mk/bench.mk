# The main job.
