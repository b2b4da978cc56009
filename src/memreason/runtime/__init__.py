"""The machine, without any knowledge of questions: files, memory, devices, processes, the terminal."""
