"""Live recognition of human activity from phones' motion sensors over MQTT."""
