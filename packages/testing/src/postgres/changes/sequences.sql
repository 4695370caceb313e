-- the last value of a sequence => value app.called: last
SELECT nextval('app.called');

-- whether a sequence was called => value app.set_but_not_called: isCalled
SELECT setval('app.set_but_not_called', 30000, true);
