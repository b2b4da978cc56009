"""What knows nothing of questions: files, memory, devices, processes, the terminal."""
