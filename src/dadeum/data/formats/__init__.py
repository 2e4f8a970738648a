"""Shapes of training files, one file each; the file's name is the format's name, the folder is the registry."""
