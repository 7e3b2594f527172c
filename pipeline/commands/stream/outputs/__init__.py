"""What har-stream publishes: the topics of a phone, of the program, and Home Assistant's."""
