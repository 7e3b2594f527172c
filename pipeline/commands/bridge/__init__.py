"""The bridge between MQTT and Kafka: samples one way, results the other."""
