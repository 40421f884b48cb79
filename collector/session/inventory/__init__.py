"""What is plugged in: serial ports with their arms, pads, cameras, keyboards; and what each can do."""
