-- One tenant's people and courses, in bulk; the sizes come in as psycopg's SQL literals.
CREATE TEMP TABLE bench_people ON COMMIT DROP AS
SELECT gen_random_uuid() AS id, {slug} || '-u' || n || '@bench.test' AS email, 'User ' || n AS full_name,
       CASE WHEN n <= greatest(1, {users} / 30) THEN 'instructor' ELSE 'student' END AS role, n
FROM generate_series(1, {users}) n;

INSERT INTO control.users (id, email, full_name, locale, email_verified_at)
SELECT id, email, full_name, 'es', now() FROM bench_people;

INSERT INTO control.memberships (user_id, tenant_id, role, status)
SELECT id, {tenant}, role, 'active' FROM bench_people;

INSERT INTO members (user_id, email, full_name, role, status, locale, email_verified_at)
SELECT id, email, full_name, role, 'active', 'es', now() FROM bench_people;

INSERT INTO courses (id, title, description, category, level, created_by, published_at, created_at)
SELECT gen_random_uuid(), 'Course ' || k, repeat('Lorem ipsum dolor ', 20), 'cat' || k % 5, 'beginner', p.id,
       now() - k * interval '1 hour', now() - k * interval '1 hour'
FROM generate_series(1, {courses}) k
JOIN bench_people p ON p.n = 1 + k % (SELECT count(*) FROM bench_people WHERE role = 'instructor');

INSERT INTO course_instructors (course_id, user_id, position)
SELECT id, created_by, 1 FROM courses;

INSERT INTO modules (id, course_id, title, position)
SELECT gen_random_uuid(), c.id, 'Module ' || n, n FROM courses c, generate_series(1, {modules}) n;

INSERT INTO lessons (id, course_id, module_id, title, position)
SELECT gen_random_uuid(), m.course_id, m.id, 'Lesson ' || n, n FROM modules m, generate_series(1, {lessons}) n;

-- A student is in every sixth course, and has done the first four lessons of its first two modules.
INSERT INTO enrollments (id, course_id, user_id, status, enrolled_at)
SELECT gen_random_uuid(), c.id, p.id, 'active', now() - interval '30 days'
FROM bench_people p
JOIN (SELECT id, row_number() OVER (ORDER BY published_at) AS n FROM courses) c ON (p.n + c.n) % 6 = 0
WHERE p.role = 'student';

INSERT INTO lesson_progress
    (enrollment_id, lesson_id, course_id, user_id, percent, position_seconds, position_at, started_at, completed_at)
SELECT e.id, l.id, e.course_id, e.user_id, 100, 300, at, at, at
FROM (SELECT now() - interval '1 day' AS at) moment, enrollments e
JOIN modules m ON m.course_id = e.course_id AND m.position <= 2
JOIN lessons l ON l.module_id = m.id AND l.position <= 4;

INSERT INTO course_reviews (course_id, user_id, rating)
SELECT course_id, user_id, 1 + (random() * 4)::int FROM enrollments WHERE random() < 0.3
