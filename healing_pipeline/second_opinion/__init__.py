"""A language model's second opinion on an incident: off unless it is configured.

The model is shown what was seen, without secrets, and may put the plan's own strategies in another
order. It decides nothing: labels, verification and the plan stay ours. All of this is pure, but for
`services`, which send one question each and import their SDK when they do.
"""
