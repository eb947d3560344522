-- SPDX-License-Identifier: Apache-2.0
-- Version 2: what is old is deleted (agent/store/purge.c). The counters of samples count all that were ever stored;
-- those of what was deleted stand beside them. The others count rows.

INSERT INTO counter VALUES ('purged_samples', 0), ('purged_good', 0);

CREATE TRIGGER uncount_decision AFTER DELETE ON decision BEGIN
  UPDATE counter SET value = value - 1 WHERE name = 'decisions';
END;
CREATE TRIGGER uncount_action AFTER DELETE ON action BEGIN
  UPDATE counter SET value = value - 1 WHERE name = 'actions';
END;
CREATE TRIGGER uncount_event AFTER DELETE ON event BEGIN
  UPDATE counter SET value = value - 1 WHERE name = 'events';
END;
