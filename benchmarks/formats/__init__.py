"""What other tools write is opened here, and what is written here by other tools."""
