"""The words of the house: frozen values, the plan, the policy, events, ports and the error tree. Imports nothing above it."""
