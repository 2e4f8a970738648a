"""The steps. One that was released is never changed: databases remember it by name."""
