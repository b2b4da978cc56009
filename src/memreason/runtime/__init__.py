"""Everything about the machine, and nothing about questions: files, memory, devices, processes, the terminal."""
