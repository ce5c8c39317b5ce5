"""What makes a folder of configs a bundle; imports nothing heavy."""
