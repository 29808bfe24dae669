SELECT set_config('healing.owner_role', 'healing_owner', true),
       set_config('healing.app_role', 'healing_app', true),
       set_config('healing.reader_role', 'healing_reader', true);
