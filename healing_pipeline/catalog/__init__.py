"""What is watched: sources, endpoints, alternates, quotas; YAML in, frozen values out.

`values` are the values, `load` reads them (and `check` lists all that is wrong, with lines and
cures), `settings` reads the few settings that are needed before that, `default` writes the complete
configuration that `healing init` starts a user with. The modules between them are steps of
`load`: `document` (text to nodes with lines), `fields` (nodes to typed fields), `urls`, `keys`,
`sources`, `endpoints`.

The catalog knows neither providers nor the simulator: their names and addresses are arguments.
"""
