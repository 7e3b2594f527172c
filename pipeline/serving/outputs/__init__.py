"""What is published of phones: their topics, and Home Assistant's."""
