"""What the screens draw with: pictures in half blocks, plots in braille, stills by the terminal's own graphics."""
