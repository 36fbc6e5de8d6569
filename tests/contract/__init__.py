"""What the local QStash server promises, asked through the real SDK and over raw HTTP."""
