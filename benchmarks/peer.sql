-- The tables of the other contenders, one schema a tenant.
CREATE TABLE users (id uuid PRIMARY KEY, email text UNIQUE, full_name text, role text);
CREATE TABLE courses (
    id uuid PRIMARY KEY, title text, description text, instructor_id uuid REFERENCES users, category text, level text,
    is_published bool, created_at timestamptz
);
CREATE TABLE modules (id uuid PRIMARY KEY, course_id uuid REFERENCES courses, title text, position int);
CREATE TABLE lessons (
    id uuid PRIMARY KEY, module_id uuid REFERENCES modules, title text, position int, duration_s int
);
CREATE TABLE enrollments (
    id uuid PRIMARY KEY, user_id uuid REFERENCES users, course_id uuid REFERENCES courses, status text,
    UNIQUE (user_id, course_id)
);
CREATE TABLE lesson_progress (
    user_id uuid REFERENCES users, lesson_id uuid REFERENCES lessons, completed_at timestamptz, position_s int,
    PRIMARY KEY (user_id, lesson_id)
);
CREATE TABLE reviews (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), course_id uuid REFERENCES courses, user_id uuid REFERENCES users,
    rating int
);
CREATE INDEX ON modules (course_id);
CREATE INDEX ON lessons (module_id);
CREATE INDEX ON enrollments (course_id);
CREATE INDEX ON reviews (course_id);
CREATE INDEX ON courses (created_at DESC, id)
