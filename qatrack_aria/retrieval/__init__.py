"""From a request to a complete set of verified images, or a clear reason why not."""
