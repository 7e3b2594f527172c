"""The link to the broker; no other folder knows an MQTT library, or how packets are made."""
