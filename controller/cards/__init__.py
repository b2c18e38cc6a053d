"""Cards at this station's readers: their taps, and purses that pay from the card itself."""
