"""Messages of all phones in, what is published of them out: no connection, no clock, no file.

What decides results and publications is here, whatever brings the messages: har-stream serves them
as they come from the broker (`pipeline.commands.stream`), `step` in batches from a log that keeps
them. Times are those of the messages; whoever brings them says when it is now.

`service` joins the parts. A message goes through `receiver` (which phone, which format, can it be
used?) and `deliveries` (through the recognizer), and `presence` publishes what its phone does.
`upkeep` does what is due of all phones. `outputs` has the topics and what is on them.
"""
