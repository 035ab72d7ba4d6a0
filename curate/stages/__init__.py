"""The stages that come with the package, one file each, grouped by purpose."""
