"""Webhooks taken in: what an application declares of its receivers, and how a verified request becomes events.

| module | what others call |
|---|---|
| `receiver` | `Receiver`: one door, as it is declared |
| `roster` | `Roster`: those of the code and those of the store, by their exact ids |
| `translating` | `arrival_of(…)`: a verified request with its events, pure |
| `intake` | `Intake.keep(arrival) -> Kept`: one transaction for all that come while another is under way |
| `replaying` | `replay(…)`: the stored bytes become events again |
| `alarms` | `Alarms`: who is silent, who is mostly refused |
"""
