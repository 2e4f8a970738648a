"""The search for better settings: trials on validation rows, the winner trained again and tested once."""
