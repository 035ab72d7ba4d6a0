"""Steps: what a plan executes, one file each; every one writes an artifact and can be resumed part by part."""
