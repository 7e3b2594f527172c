"""The command har-spark: the recognizer on Apache Spark, between two topics of Kafka.

The engine has the partitions, the state, restarts and back-pressure. `job` says what it is to do;
`bucket` is what runs on the executors, and alone there; all else runs in the driver.
"""
