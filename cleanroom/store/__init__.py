"""State → SQL. One small class for each drawer; an event is written in the transaction of the change it announces."""
