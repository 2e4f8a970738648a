"""How what is served behaves: live comparisons, drift, calibration, and the page that shows it."""
